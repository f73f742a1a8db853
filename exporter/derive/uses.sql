-- The layers and configs, reduced to what the derived tables need of them. Repositories and
-- registries are numbers here (`scopes.sql`): grouping by them is cheaper than by their names.

-- `uses`: each blob of each repository. A blob is a digest; layers and configs are told apart.
-- A layer without a digest is no blob that could be told from another: such rows are in one
-- group with a null digest, which counts references and nothing else.
-- `tagged`: whether a tagged image uses it. `moves`: whether it was seen at several positions.

CREATE TABLE uses AS
SELECT grouped.*, registry, CASE WHEN digest IS NOT NULL THEN hash(digest) END AS digest_hash, false AS is_config
FROM (
    SELECT
        repository,
        digest,
        max(size) AS size,
        min(size) AS smallest,
        count(*) AS reference_count,
        min(position) <> max(position) AS moves,
        bool_or(untagged IS NULL) AS tagged
    FROM layers
    LEFT JOIN (SELECT image_id, true AS untagged FROM images WHERE tag_count = 0) USING (image_id)
    LEFT JOIN (SELECT repository, repository_name FROM repository_scopes) USING (repository_name)
    GROUP BY repository, digest
) AS grouped LEFT JOIN repository_scopes USING (repository);

INSERT INTO uses BY NAME
SELECT grouped.*, registry, CASE WHEN digest IS NOT NULL THEN hash(digest) END AS digest_hash, true AS is_config
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

-- `common_hashes`: the digests that stand in `uses` more than once, or that have two sizes (`differs`).
-- Most do neither, so these are picked out by hash, which is cheap.

CREATE TABLE common_hashes AS
SELECT digest_hash, min(smallest) <> max(size) AS differs
FROM uses
WHERE digest_hash IS NOT NULL
GROUP BY digest_hash
HAVING count(*) > 1 OR differs;

-- `shared`: the blobs that several repositories of a registry use; only they are grouped by their
-- digest. A blob that was seen with two sizes in a registry has the larger.

CREATE TABLE shared_hashes AS
SELECT is_config, registry, digest_hash
FROM uses SEMI JOIN common_hashes USING (digest_hash)
WHERE registry IS NOT NULL
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

-- `held`: each blob of each registry, billed once there. `repository` is the only one that uses
-- it, and null where there are several.

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

-- `repeats`: by how much the references to a layer outnumber the images that use it. An image has
-- one layer at a position, so only a layer that was seen at several can stand twice in one.

CREATE TABLE repeats AS
SELECT registry, digest, sum(times - 1)::BIGINT AS surplus, false AS is_config
FROM (
    SELECT image_id, digest, any_value(repository_name) AS repository_name, count(*) AS times
    FROM layers SEMI JOIN (SELECT DISTINCT digest FROM uses WHERE moves) USING (digest)
    GROUP BY image_id, digest
    HAVING count(*) > 1
) LEFT JOIN repository_scopes USING (repository_name)
GROUP BY registry, digest;
