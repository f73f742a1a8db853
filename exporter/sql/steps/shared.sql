-- Each blob of each registry, from the blobs of its repositories. A blob is a digest and a kind: layer
-- or config.

CREATE VIEW uses AS
FROM layer_uses
UNION ALL BY NAME
FROM config_uses;

-- `common_hashes`: the digests that occur in `uses` more than once, or have two sizes (`differs`).
-- These are few, so they are found by hash, which is cheap.

CREATE TABLE common_hashes AS
SELECT digest_hash, min(smallest) <> max(size) AS differs
FROM uses
WHERE digest_hash IS NOT NULL
GROUP BY digest_hash
HAVING count(*) > 1 OR differs;

-- `shared`: the blobs that several repositories of a registry use; only these are grouped by digest.
-- A blob with two sizes in a registry has the larger one.

CREATE TABLE shared_hashes AS
SELECT is_config, registry, digest_hash
FROM uses SEMI JOIN common_hashes USING (digest_hash)
GROUP BY is_config, registry, digest_hash
HAVING count(*) > 1;

CREATE TABLE shared AS
SELECT
    is_config,
    registry,
    digest,
    CASE WHEN count(*) = 1 THEN min(repository) END AS repository,
    max(size) AS size,
    min(smallest) AS smallest,
    sum(reference_count)::BIGINT AS reference_count,
    count(*) AS repository_count,
    bool_or(tagged) AS tagged
FROM uses SEMI JOIN shared_hashes USING (is_config, registry, digest_hash)
WHERE digest IS NOT NULL
GROUP BY is_config, registry, digest;

-- `held`: each blob of each registry, billed once there. `repository` is the one that uses it, null if
-- there are several.

CREATE VIEW held AS
SELECT
    is_config,
    registry,
    digest,
    repository,
    size,
    smallest,
    reference_count,
    1 AS repository_count,
    tagged
FROM uses ANTI JOIN shared_hashes USING (is_config, registry, digest_hash)
WHERE digest_hash IS NOT NULL
UNION ALL BY NAME
FROM shared;
