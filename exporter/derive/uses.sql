-- The layers and configs, read once and reduced to what the derived tables need of them.
--
-- `uses`: each blob of each repository. A blob is a digest; layers and configs are told apart.
-- A layer without a digest is no blob that could be told from another: its rows are in one group
-- with a null digest, which counts rows (`reference_count`) and nothing else.

CREATE TEMP TABLE uses AS
SELECT
    'layer' AS kind,
    layers.registry_id,
    layers.repository_name,
    layers.digest,
    max(layers.size) AS size,
    min(layers.size) AS smallest,
    count(*) AS reference_count,
    min(layers.position) <> max(layers.position) AS moves,
    bool_or(coalesce(images.tag_count, 1) > 0) AS tagged
FROM layers LEFT JOIN images USING (image_id)
GROUP BY layers.registry_id, layers.repository_name, layers.digest;

INSERT INTO uses
SELECT
    'config',
    registry_id,
    repository_name,
    digest,
    max(size),
    min(size),
    count(*),
    false,
    false
FROM config_blobs
WHERE digest IS NOT NULL
GROUP BY registry_id, repository_name, digest;

-- `repeats`: by how much the references to a layer outnumber the images that use it. An image
-- has one layer at a position, so only a layer that was seen at several can stand twice in one.

CREATE TEMP TABLE repeats AS
SELECT registry_id, digest, sum(times - 1)::BIGINT AS surplus
FROM (
    SELECT layers.registry_id, layers.digest, layers.image_id, count(*) AS times
    FROM layers
    SEMI JOIN (SELECT repository_name, digest FROM uses WHERE moves) AS moving
        ON layers.repository_name IS NOT DISTINCT FROM moving.repository_name
        AND layers.digest = moving.digest
    GROUP BY layers.registry_id, layers.digest, layers.image_id
    HAVING count(*) > 1
)
GROUP BY registry_id, digest;

-- `held`: each blob of each registry, billed once there. Seen with two sizes, it has the larger.
-- `repository_name` is the only repository that uses it, where there is one only.

CREATE TEMP TABLE held AS
SELECT
    kind,
    registry_id,
    digest,
    max(size) AS size,
    min(smallest) AS smallest,
    sum(reference_count)::BIGINT AS reference_count,
    count(*) AS repository_count,
    CASE WHEN count(*) = 1 THEN min(repository_name) END AS repository_name,
    bool_or(tagged) AS tagged
FROM uses
WHERE digest IS NOT NULL
GROUP BY kind, registry_id, digest;
