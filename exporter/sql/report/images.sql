-- The images that transfer the most bytes when they are pulled, at most `$most`.

SELECT
    image_id AS id,
    coalesce(images.repository_name, '') AS repository_name,
    coalesce(nullif(scope_name, ''), images.registry_id, '') AS registry,
    coalesce(digest, '') AS digest,
    coalesce(tags, []) AS tags,
    coalesce(NOT reachable, images.tag_count = 0, true) AS is_untagged,
    coalesce(compressed_size, 0) AS compressed_size,
    coalesce(images.layer_count, 0) AS layer_count,
    created_at
FROM (
    FROM images
    ORDER BY compressed_size DESC NULLS LAST, image_id
    LIMIT $most
) AS images
LEFT JOIN size_totals ON scope = 'registry' AND scope_id = images.registry_id
ORDER BY images.compressed_size DESC NULLS LAST, image_id
