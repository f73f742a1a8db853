-- The findings, for an auditor.

WITH conflicts AS (
    SELECT
        digest,
        -- A blob of an image that names no listed registry is in no known registry.
        CASE WHEN count(DISTINCT registry) = 1 THEN min(registry_id) END
            AS registry_id,
        string_agg(
            format(
                '{}{} bytes as a {} in {}{}',
                CASE WHEN smallest <> size THEN format('{} to ', smallest) ELSE '' END,
                size,
                CASE WHEN is_config THEN 'config' ELSE 'layer' END,
                coalesce('registry ' || registry_id, 'no registry that was listed'),
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

-- How many bytes an image's layers have, and how many of them are beyond those of its digests. A layer
-- without a digest is one of its own; of two sizes of one digest, the larger counts.
layer_sums AS (
    SELECT image_id, sum(bytes) AS bytes, sum(surplus) AS surplus
    FROM (
        SELECT image_id, sum(size) AS bytes, sum(size) - max(size) AS surplus
        FROM layers SEMI JOIN doubtful_sizes USING (image_id)
        GROUP BY image_id, digest, CASE WHEN digest IS NULL THEN position END
    )
    GROUP BY image_id
),

-- `compressed_size` may be the sum of the layers with or without the config, and with each layer
-- counted once or as often as it stands. Only images are looked at of which the crawl doubted it.
mismatches AS (
    SELECT *
    FROM (
        SELECT
            registry_id,
            repository_name,
            image_id,
            compressed_size,
            layer_count,
            coalesce(bytes, 0) - coalesce(compressed_size, 0) AS difference,
            coalesce(surplus, 0) AS surplus
        FROM images SEMI JOIN doubtful_sizes USING (image_id) LEFT JOIN layer_sums USING (image_id)
    )
    LEFT JOIN (
        SELECT image_id, size AS config FROM config_blobs SEMI JOIN doubtful_sizes USING (image_id)
    ) USING (image_id)
    WHERE
        difference NOT IN (0, surplus)
        AND difference + coalesce(config, 0) NOT IN (0, surplus)
),

-- Few tags are on two images, so these are found by hash, which is cheap. A name without a registry
-- may belong to several repositories.
shared_tag_hashes AS (
    SELECT hash(repository_name, tag) AS tag_hash
    FROM tags
    WHERE registry_id IS NOT NULL
    GROUP BY tag_hash
    HAVING count(*) > 1
),

shared_tags AS (
    SELECT any_value(registry_id) AS registry_id, repository_name, tag, count(*) AS images
    FROM tags SEMI JOIN shared_tag_hashes ON hash(repository_name, tag) = tag_hash
    WHERE registry_id IS NOT NULL
    GROUP BY repository_name, tag
    HAVING count(*) > 1
),

-- Images and repositories of a registry that is not in `registries`, or of none.
homeless AS (
    SELECT
        repository_name,
        CASE WHEN nullif(repository_name, '') IS NULL THEN image_id END AS image_id,
        registry_id
    FROM (
        SELECT repository_name, image_id, registry_id FROM images
        UNION ALL
        SELECT repository_name, NULL, registry_id FROM repositories
    )
    ANTI JOIN registries USING (registry_id)
),

negative AS (
    SELECT image_id, compressed_size AS size, 'compressed_size' AS what
    FROM images WHERE compressed_size < 0
    UNION ALL
    SELECT image_id, size, 'a layer' FROM layers WHERE size < 0
    UNION ALL
    SELECT image_id, size, 'the config' FROM config_blobs WHERE size < 0
),

-- Values that are too large, or too small, for their column.
overflows AS (
    UNPIVOT (
        SELECT
            scope,
            scope_id,
            logical_size,
            stored_size,
            exclusive_size,
            untagged_size,
            config_size
        FROM sums
    )
    ON logical_size, stored_size, exclusive_size, untagged_size, config_size
    INTO NAME measure VALUE bytes
),

-- Bad values of resources in the snapshot (a filter, or another listing, may have left a resource
-- out), and of resources without a row, because nothing identifies them.
found AS (
    SELECT image_id AS subject, 'images' AS listing
    FROM images SEMI JOIN bad_values ON images.image_id = subject
    UNION ALL
    SELECT repository_name, 'repositories'
    FROM repositories SEMI JOIN bad_values ON repositories.repository_name = subject
    UNION ALL
    SELECT registry_id, 'registries' FROM registries
    UNION ALL
    SELECT folder_id, 'folders' FROM folders
    UNION ALL
    SELECT cloud_id, 'clouds' FROM clouds
    UNION ALL
    SELECT subject, listing FROM bad_values WHERE listing = 'lost'
),

-- What follows from the rows of OCI registries. The cloud's rows have nulls where these look first.
missing_children AS (
    SELECT
        child_image_id AS subject,
        any_value(registry_id) AS registry_id,
        any_value(repository_name) AS repository_name,
        min(image_id) AS image_id,
        count(DISTINCT image_id) AS indexes
    FROM image_references
    WHERE NOT present
    GROUP BY child_image_id
),

subjects AS (
    SELECT
        concat(repository_name, '@', subject_digest) AS subject,
        any_value(registry_id) AS registry_id,
        any_value(repository_name) AS repository_name,
        min(image_id) AS image_id,
        count(*) AS referrers
    FROM images
    WHERE subject_digest IS NOT NULL
    GROUP BY repository_name, subject_digest
),

dangling_subjects AS (
    SELECT subjects.*
    FROM subjects
    ANTI JOIN (SELECT subject FROM images JOIN subjects ON images.image_id = subject) AS there
        USING (subject)
    JOIN coverage ON listing = 'manifests' AND parent_id = repository_name
    WHERE status IN ('complete', 'vanished')
),

of_rows AS (
    SELECT
        'missing_child' AS kind,
        registry_id,
        repository_name,
        image_id,
        subject,
        format(
            'The registry does not have it, though {}.',
            CASE
                WHEN indexes = 1 THEN 'an index refers to it'
                ELSE format('{} indexes refer to it', indexes)
            END
        ) AS detail
    FROM missing_children
    UNION ALL
    SELECT
        'dangling_subject',
        registry_id,
        repository_name,
        image_id,
        subject,
        format(
            '{} to it as the subject, and {}.',
            CASE WHEN referrers = 1 THEN 'An image refers' ELSE format('{} images refer', referrers)
            END,
            CASE
                WHEN untagged_visible THEN 'the registry does not have it'
                ELSE 'no tag leads to it, so that nothing tells whether the registry has it'
            END
        )
    FROM dangling_subjects LEFT JOIN registries USING (registry_id)
    UNION ALL
    SELECT
        'empty_repository',
        registry_id,
        repository_name,
        NULL,
        repository_name,
        'There is no image in this repository, and all its tags were listed.'
    FROM repositories
    JOIN registries USING (registry_id)
    JOIN coverage ON listing = 'tags' AND parent_id = repository_name
    -- Images that could not be read are not missing.
    ANTI JOIN (
        SELECT parent_id AS repository_name
        FROM coverage
        WHERE listing = 'manifests' AND status NOT IN ('complete', 'vanished')
    ) AS unread USING (repository_name)
    LEFT JOIN sums ON scope = 'repository' AND scope_id = repository_name
    WHERE source = 'oci' AND coverage.status = 'complete' AND coalesce(image_count, 0) = 0
    UNION ALL
    SELECT
        'schema1_manifest',
        registry_id,
        repository_name,
        image_id,
        image_id,
        'The manifest is of schema 1, which clients and registries no longer take.'
    FROM images
    WHERE kind = 'schema1'
    UNION ALL
    SELECT
        'implausible_time',
        registry_id,
        repository_name,
        image_id,
        image_id,
        format('The image says that it was created at {} UTC.', created_at::TIMESTAMP)
    FROM images
    WHERE kind IS NOT NULL AND (
        created_at < '1970-01-01 00:00:00+00'::TIMESTAMPTZ
        OR created_at > (SELECT max(finished_at) + INTERVAL 1 DAY FROM coverage)
    )
),

-- Beside them, what only the crawl has seen.
seen AS (
    SELECT
        kind,
        min(registry_id) AS registry_id,
        min(repository_name) AS repository_name,
        min(image_id) AS image_id,
        subject,
        string_agg(DISTINCT detail, ' ' ORDER BY detail) AS detail
    FROM (
        FROM of_rows
        UNION ALL BY NAME
        SELECT kind, registry_id, repository_name, image_id, subject, detail
        FROM bad_values
        WHERE kind IS NOT NULL
    )
    GROUP BY kind, subject
),

-- If the list of repositories is not complete, a missing name proves nothing.
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
        'compressed_size is {} bytes, and the {} layers have {}{}{}.',
        compressed_size,
        layer_count,
        compressed_size + difference,
        CASE
            WHEN surplus <> 0 THEN
                format(' (or {}, each counted once)', compressed_size + difference - surplus)
            ELSE ''
        END,
        CASE WHEN config <> 0 THEN format(', and the config {}', config) ELSE '' END
    )
FROM mismatches
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
UNION ALL
SELECT
    'unknown_registry',
    NULL,
    any_value(repository_name),
    image_id,
    coalesce(image_id, any_value(repository_name)),
    CASE
        WHEN any_value(registry_id) IS NULL THEN 'The name does not tell a registry.'
        ELSE format('The name tells registry {}, which was not listed.', any_value(registry_id))
    END || ' What is there counts in the total alone.'
FROM homeless
GROUP BY repository_name, image_id
UNION ALL
SELECT
    'negative_size',
    registry_id,
    repository_name,
    image_id,
    image_id,
    format('Negative sizes count as they are: {}.', sizes)
FROM images
JOIN (
    SELECT image_id, string_agg(DISTINCT bytes, ', ' ORDER BY bytes) AS sizes
    FROM (SELECT image_id, format('{} of {} bytes', what, size) AS bytes FROM negative)
    GROUP BY image_id
) USING (image_id)
UNION ALL
SELECT
    'size_overflow',
    registry_id,
    CASE WHEN scope = 'repository' THEN scope_id END,
    NULL,
    concat(scope, ' ', scope_id),
    format(
        'The table has the nearest that fits, for these are past 64 bits: {}.',
        string_agg(format('{} of {} bytes', measure, bytes), ', ' ORDER BY measure)
    )
FROM overflows JOIN scopes USING (scope, scope_id)
WHERE bytes <> whole(bytes)
GROUP BY scope, scope_id, registry_id
UNION ALL
SELECT
    'bad_value' AS kind,
    min(registry_id),
    min(repository_name),
    min(image_id),
    subject,
    string_agg(DISTINCT detail, ' ' ORDER BY detail)
FROM bad_values SEMI JOIN found USING (listing, subject)
WHERE kind IS NULL
GROUP BY subject
UNION ALL
SELECT kind, registry_id, repository_name, image_id, subject, detail
FROM seen
ORDER BY kind, subject
