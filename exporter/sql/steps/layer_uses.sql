-- `layer_uses`: each layer of each repository; the derived tables need no more of the layers.
--
-- Repositories and registries are numbers here (`scopes.sql`): grouping by them is cheaper than by
-- their names. Layers without a digest cannot be told apart as blobs: they are one group with a null
-- digest, which counts references only. So are layers that a registry does not store, because they
-- are not distributable.
-- `tagged`: whether an image uses it that is not untagged: of the cloud, one with a tag, of an OCI
-- registry, one that a tag leads to. `moves`: whether it occurs at several positions.

CREATE TABLE layer_uses AS
SELECT
    grouped.*,
    coalesce(registry, 0) AS registry,
    CASE WHEN digest IS NOT NULL THEN hash(digest) END AS digest_hash,
    false AS is_config
FROM (
    SELECT
        repository,
        CASE WHEN distributable IS DISTINCT FROM false THEN digest END AS digest,
        max(size) AS size,
        min(size) AS smallest,
        count(*) AS reference_count,
        min(position) <> max(position) AS moves,
        bool_or(untagged IS NULL) AS tagged
    FROM layers
    LEFT JOIN (
        SELECT image_id, true AS untagged FROM images WHERE tag_count = 0 AND kind IS NULL
        UNION ALL
        SELECT image_id, true FROM unreached
    ) USING (image_id)
    LEFT JOIN (SELECT repository, repository_name FROM repository_scopes) USING (repository_name)
    GROUP BY ALL
) AS grouped LEFT JOIN repository_scopes USING (repository);
