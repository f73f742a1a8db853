-- `repeats`: how many more references a layer has than images that use it. An image has one layer at
-- a position, so only a layer at several positions can occur twice in one image.

CREATE TABLE repeats AS
SELECT
    coalesce(registry, 0) AS registry,
    digest,
    sum(times - 1)::BIGINT AS surplus,
    false AS is_config
FROM (
    SELECT image_id, digest, any_value(repository_name) AS repository_name, count(*) AS times
    FROM layers SEMI JOIN (SELECT DISTINCT digest FROM layer_uses WHERE moves) USING (digest)
    WHERE distributable IS DISTINCT FROM false
    GROUP BY image_id, digest
    HAVING count(*) > 1
) LEFT JOIN repository_scopes USING (repository_name)
GROUP BY ALL;
