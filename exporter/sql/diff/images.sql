-- `image_changes`: images that one snapshot alone has, or that are not the same in both.
--
-- The join is on ids and a hash of the rest, which is small. A layer that changed shows in the
-- digest, which is that of the manifest, so the layers themselves are not read.

CREATE TABLE image_changes AS
WITH differing AS (
    SELECT image_id
    FROM (
        SELECT
            image_id,
            hash(
                repository_name, digest, compressed_size, config_digest, layer_count, created_at
            ) AS content
        FROM "before".images
    ) AS was
    FULL JOIN (
        SELECT
            image_id,
            hash(
                repository_name, digest, compressed_size, config_digest, layer_count, created_at
            ) AS content
        FROM "after".images
    ) AS now USING (image_id)
    WHERE was.content IS DISTINCT FROM now.content
),

was AS (
    SELECT * FROM "before".images SEMI JOIN differing USING (image_id)
),

now AS (
    SELECT * FROM "after".images SEMI JOIN differing USING (image_id)
)

SELECT
    image_id,
    was.image_id IS NOT NULL AS in_before,
    now.image_id IS NOT NULL AS in_after,
    coalesce(now.registry_id, was.registry_id) AS registry_id,
    CASE WHEN in_after THEN now.repository_name ELSE was.repository_name END AS repository_name,
    was.digest AS before_digest,
    now.digest AS digest,
    whole(coalesce(now.compressed_size, 0)::HUGEINT - coalesce(was.compressed_size, 0))
        AS size_delta,
    CASE
        WHEN in_before AND in_after THEN concat_ws(
            ', ',
            CASE WHEN was.repository_name IS DISTINCT FROM now.repository_name
                THEN format('repository_name was {}', coalesce(was.repository_name, 'not known'))
            END,
            CASE WHEN was.digest IS DISTINCT FROM now.digest
                THEN format('digest was {}', coalesce(was.digest, 'not known'))
            END,
            CASE WHEN was.compressed_size IS DISTINCT FROM now.compressed_size
                THEN format('compressed_size was {} bytes', was.compressed_size)
            END,
            CASE WHEN was.config_digest IS DISTINCT FROM now.config_digest
                THEN format('config_digest was {}', coalesce(was.config_digest, 'none'))
            END,
            CASE WHEN was.layer_count IS DISTINCT FROM now.layer_count
                THEN format('layer_count was {}', was.layer_count)
            END,
            CASE WHEN was.created_at IS DISTINCT FROM now.created_at
                THEN format('created_at was {}', coalesce(was.created_at::VARCHAR, 'not known'))
            END
        )
    END AS differences
FROM was FULL JOIN now USING (image_id);
