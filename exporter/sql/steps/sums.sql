-- `repository_sums`: what the scopes add up, by repository. A fact is a row with some of the measures,
-- the others null; a repository's row is the sum of its facts.
--
-- A registry bills a blob once, whichever of its repositories use it, and stores a manifest once. So
-- `held_…` are the measures that count in the registry instead of those of the same name; a row
-- without a repository has those of blobs that several use. Sums are HUGEINT here, because they may be
-- too large for a column.

CREATE TABLE repository_sums AS
WITH image_facts AS (
    SELECT
        registry,
        repository,
        count(*) AS image_count,
        count(*) FILTER (tag_count > 0) AS tagged_image_count,
        count(*) FILTER (tag_count = 0 AND kind IS NULL) AS untagged_image_count,
        sum(tag_count) AS tag_count,
        sum(compressed_size) AS logical_size,
        min(created_at) AS oldest_image_at,
        max(created_at) AS newest_image_at,
        count(*) FILTER (kind = 'index') AS index_count
    FROM images LEFT JOIN repository_scopes USING (repository_name)
    GROUP BY registry, repository
),

unreached_facts AS (
    SELECT registry, repository, count(*) AS untagged_image_count
    FROM unreached LEFT JOIN repository_scopes USING (repository_name)
    GROUP BY registry, repository
),

-- Manifests have their digest once in a repository.
manifests AS (
    SELECT registry, repository, md5_number(digest) AS digest_hash, manifest_size
    FROM images LEFT JOIN repository_scopes USING (repository_name)
    WHERE kind IS NOT NULL
),

-- Each digest once per repository.
use_facts AS (
    SELECT
        registry,
        repository,
        sum(reference_count) FILTER (NOT is_config) AS layer_count,
        count(digest_hash) FILTER (NOT is_config) AS blob_count,
        sum(size) FILTER (NOT is_config AND digest_hash IS NOT NULL) AS stored_size,
        sum(size) FILTER (is_config) AS config_size
    FROM uses
    GROUP BY registry, repository
),

-- A digest with two sizes counts with the larger in each repository: this adds the difference.
larger_facts AS (
    SELECT
        registry,
        uses.repository,
        sum(shared.size::HUGEINT - uses.size) FILTER (NOT is_config) AS stored_size,
        sum(shared.size::HUGEINT - uses.size) FILTER (is_config) AS config_size
    FROM uses JOIN shared USING (is_config, registry, digest)
    WHERE shared.size <> shared.smallest
    GROUP BY registry, uses.repository
),

-- Each digest once per registry; `repository` is null for a digest that several repositories use.
held_facts AS (
    SELECT
        registry,
        repository,
        count(*) FILTER (NOT is_config) AS held_blob_count,
        sum(size) FILTER (NOT is_config) AS exclusive_size,
        sum(size) FILTER (NOT is_config AND NOT tagged) AS untagged_size,
        sum(size) FILTER (is_config) AS held_config_size
    FROM held
    GROUP BY registry, repository
),

facts AS (
    FROM image_facts
    UNION ALL BY NAME
    FROM unreached_facts
    UNION ALL BY NAME
    SELECT registry, repository, manifest_size FROM manifests
    UNION ALL BY NAME
    SELECT registry, max(manifest_size) AS held_manifest_size
    FROM manifests
    GROUP BY registry, digest_hash
    UNION ALL BY NAME
    FROM use_facts
    UNION ALL BY NAME
    FROM larger_facts
    UNION ALL BY NAME
    FROM held_facts
    UNION ALL BY NAME
    SELECT registry, repository, 1 AS repository_count FROM repository_scopes
)

SELECT
    registry,
    repository,
    sum(repository_count) AS repository_count,
    sum(image_count) AS image_count,
    sum(tagged_image_count) AS tagged_image_count,
    sum(untagged_image_count) AS untagged_image_count,
    sum(tag_count) AS tag_count,
    sum(layer_count) AS layer_count,
    sum(blob_count) AS blob_count,
    sum(held_blob_count) AS held_blob_count,
    sum(logical_size) AS logical_size,
    sum(stored_size) AS stored_size,
    sum(exclusive_size) AS exclusive_size,
    sum(untagged_size) AS untagged_size,
    sum(config_size) AS config_size,
    sum(held_config_size) AS held_config_size,
    min(oldest_image_at) AS oldest_image_at,
    max(newest_image_at) AS newest_image_at,
    sum(index_count) AS index_count,
    sum(manifest_size) AS manifest_size,
    sum(held_manifest_size) AS held_manifest_size
FROM facts
GROUP BY registry, repository;

-- `sums`: counts and sizes of every repository, registry, folder and cloud, and of all together.
-- Folders, clouds and the total have the facts of their registries, because a layer is billed once
-- in each of them.

CREATE TABLE sums AS
SELECT
    scope,
    scope_id,
    sum(repository_count) AS repository_count,
    sum(image_count) AS image_count,
    sum(tagged_image_count) AS tagged_image_count,
    sum(untagged_image_count) AS untagged_image_count,
    sum(tag_count) AS tag_count,
    sum(layer_count) AS layer_count,
    sum(blob_count) AS blob_count,
    sum(logical_size) AS logical_size,
    sum(stored_size) AS stored_size,
    sum(exclusive_size) AS exclusive_size,
    sum(untagged_size) AS untagged_size,
    sum(config_size) AS config_size,
    min(oldest_image_at) AS oldest_image_at,
    max(newest_image_at) AS newest_image_at,
    sum(index_count) AS index_count,
    sum(manifest_size) AS manifest_size
FROM (
    SELECT 'repository' AS scope, repository_name AS scope_id, repository_sums.*
    FROM repository_sums JOIN repository_scopes USING (repository)
    UNION ALL BY NAME
    SELECT
        scope,
        CASE scope
            WHEN 'registry' THEN registry_id
            WHEN 'folder' THEN folder_id
            WHEN 'cloud' THEN cloud_id
            ELSE '*'
        END AS scope_id,
        repository_sums.* EXCLUDE (blob_count, stored_size, config_size, manifest_size),
        held_blob_count AS blob_count,
        exclusive_size AS stored_size,
        held_config_size AS config_size,
        held_manifest_size AS manifest_size
    FROM repository_sums
    LEFT JOIN registry_scopes USING (registry)
    CROSS JOIN (VALUES ('registry'), ('folder'), ('cloud'), ('total')) AS above (scope)
)
GROUP BY scope, scope_id;
