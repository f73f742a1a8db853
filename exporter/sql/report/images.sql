-- The images that transfer the most bytes when they are pulled, at most `$most`.

SELECT
    image_id AS id,
    images.repository_name,
    coalesce(nullif(scope_name, ''), images.registry_id, '') AS registry,
    digest,
    tags,
    compressed_size,
    images.layer_count,
    created_at
FROM (
    FROM images
    ORDER BY compressed_size DESC, image_id
    LIMIT $most
) AS images
LEFT JOIN size_totals ON scope = 'registry' AND scope_id = images.registry_id
ORDER BY compressed_size DESC, image_id
