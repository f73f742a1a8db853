-- What an auditor should look at.

WITH conflicts AS (
    SELECT
        digest,
        -- A blob of an image without a name is in no registry that is known.
        CASE WHEN count(DISTINCT coalesce(registry, 0)) = 1 THEN min(registry_id) END
            AS registry_id,
        string_agg(
            format(
                '{}{} bytes as a {} in {}{}',
                CASE WHEN smallest <> size THEN format('{} to ', smallest) ELSE '' END,
                size,
                CASE WHEN is_config THEN 'config' ELSE 'layer' END,
                coalesce('registry ' || registry_id, 'an image without a name'),
                CASE WHEN smallest <> size THEN ' (the larger counts)' ELSE '' END
            ),
            ', ' ORDER BY registry_id NULLS LAST, is_config
        ) AS places
    FROM (
        SELECT digest, registry, is_config, min(smallest) AS smallest, max(size) AS size
        FROM uses SEMI JOIN (FROM common_hashes WHERE differs) USING (digest_hash)
        GROUP BY digest, registry, is_config
    )
    LEFT JOIN registry_scopes USING (registry)
    GROUP BY digest
    HAVING min(smallest) <> max(size)
),

-- Layers added and images taken away: one grouping instead of a join of millions.
differing AS (
    SELECT image_id, sum(size) AS difference
    FROM (
        SELECT image_id, size FROM layers
        UNION ALL
        SELECT image_id, 0 - compressed_size::HUGEINT FROM images
    )
    GROUP BY image_id
    HAVING sum(size) <> 0
),

-- Hardly any tag is on two images, so these are picked out by hash, which is cheap.
shared_tag_hashes AS (
    SELECT hash(repository_name, tag) AS tag_hash FROM tags GROUP BY tag_hash HAVING count(*) > 1
),

shared_tags AS (
    SELECT any_value(registry_id) AS registry_id, repository_name, tag, count(*) AS images
    FROM tags SEMI JOIN shared_tag_hashes ON hash(repository_name, tag) = tag_hash
    GROUP BY repository_name, tag
    HAVING count(*) > 1
),

-- Where the list of repositories is not complete, its silence says nothing.
fully_named AS (
    SELECT parent_id AS registry_id
    FROM coverage
    WHERE listing = 'repositories' AND status = 'complete'
)

SELECT
    'size_conflict' AS kind,
    registry_id,
    NULL AS repository_name,
    NULL AS image_id,
    digest AS subject,
    format('One digest has two sizes: {}.', places) AS detail
FROM conflicts
UNION ALL
SELECT
    'size_mismatch',
    registry_id,
    repository_name,
    image_id,
    image_id,
    format(
        'compressed_size is {} bytes, and the {} layers have {}.',
        compressed_size, layer_count, compressed_size + difference
    )
FROM images JOIN differing USING (image_id)
UNION ALL
SELECT
    'tag_on_two_images',
    registry_id,
    repository_name,
    NULL,
    concat(repository_name, ':', tag),
    format('The tag is on {} images: it moved while the listing ran.', images)
FROM shared_tags
UNION ALL
SELECT 'image_changed', registry_id, repository_name, image_id, image_id, detail
FROM changed
UNION ALL
SELECT
    'unlisted_repository',
    registry_id,
    repository_name,
    NULL,
    repository_name,
    'Images are in this repository, and the complete list of the registry''s repositories does not '
    'name it.'
FROM repository_scopes JOIN fully_named USING (registry_id)
WHERE NOT listed
ORDER BY kind, subject
