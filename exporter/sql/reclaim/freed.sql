-- What deleting `going` frees, held against `blobs`, where the derivation has put who uses a layer in
-- its registry, how often, and its size: a layer is freed where all its uses are in `going`.

-- The stored layers that `going` uses. `repository` and `image` are the only ones that do, if there is only
-- one; else `repository` is null, and `image` any of them.
CREATE TABLE going_uses AS
SELECT
    registry,
    digest,
    count(*) AS reference_count,
    CASE WHEN min(repository) = max(repository) THEN min(repository) END AS repository,
    any_value(image) AS image
FROM layers JOIN (SELECT image_id, image, repository, registry FROM going) USING (image_id)
WHERE digest IS NOT NULL AND distributable IS DISTINCT FROM false
GROUP BY registry, digest;

-- `freed`: bytes by registry, by the repository whose images alone use them (null: of several), and
-- by the image that alone uses them (null: several do). So it has not many more rows than `going`.
CREATE TABLE freed AS
SELECT registry, repository, CASE WHEN image_count = 1 THEN image END AS image, sum(size) AS size
FROM going_uses
JOIN (
    SELECT registry, digest, size, image_count, reference_count
    FROM blobs JOIN registry_scopes USING (registry_id)
    WHERE kind = 'layer'
) USING (registry, digest, reference_count)
GROUP BY ALL;

DROP TABLE going_uses;
