-- `config_uses`: each config of each repository, in the form of `layer_uses`.

CREATE TABLE config_uses AS
SELECT
    grouped.*,
    coalesce(registry, 0) AS registry,
    hash(digest) AS digest_hash,
    true AS is_config
FROM (
    SELECT
        repository,
        digest,
        max(size) AS size,
        min(size) AS smallest,
        count(*) AS reference_count
    FROM config_blobs
    LEFT JOIN (SELECT repository, repository_name FROM repository_scopes) USING (repository_name)
    WHERE digest IS NOT NULL
    GROUP BY repository, digest
) AS grouped LEFT JOIN repository_scopes USING (repository);
