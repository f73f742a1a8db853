-- `tag_changes`: tags that are not on the same images in both snapshots, one row for each.
--
-- A tag is on one image, and those are joined. It is on several where it moved while a listing ran:
-- these few are picked out by hash, and grouped. Of the images of a snapshot, the one that the other
-- snapshot does not have it on is told, and of several the newest.

CREATE TABLE repeated_tags AS
SELECT DISTINCT tag_hash
FROM (
    SELECT hash(repository_name, tag) AS tag_hash
    FROM "before".tags
    GROUP BY tag_hash
    HAVING count(*) > 1
    UNION ALL
    SELECT hash(repository_name, tag) AS tag_hash
    FROM "after".tags
    GROUP BY tag_hash
    HAVING count(*) > 1
);

CREATE TABLE tag_changes AS
WITH single AS (
    SELECT
        coalesce(now.registry_id, was.registry_id) AS registry_id,
        coalesce(now.repository_name, was.repository_name) AS repository_name,
        coalesce(now.tag, was.tag) AS tag,
        now.created_at AS newest_at,
        (was.tag IS NOT NULL)::BIGINT AS before_count,
        (now.tag IS NOT NULL)::BIGINT AS after_count,
        was.image_id AS before_image_id,
        was.digest AS before_digest,
        now.image_id AS image_id,
        now.digest AS digest
    FROM (
        SELECT * FROM "before".tags
        ANTI JOIN repeated_tags ON hash(repository_name, tag) = tag_hash
    ) AS was
    FULL JOIN (
        SELECT * FROM "after".tags
        ANTI JOIN repeated_tags ON hash(repository_name, tag) = tag_hash
    ) AS now
        ON was.tag = now.tag AND was.repository_name IS NOT DISTINCT FROM now.repository_name
    WHERE was.image_id IS DISTINCT FROM now.image_id
),

places AS (
    SELECT
        any_value(registry_id) AS registry_id,
        repository_name,
        tag,
        image_id,
        any_value(digest) FILTER (NOT is_after) AS before_digest,
        any_value(digest) FILTER (is_after) AS digest,
        coalesce(max(created_at), '-infinity') AS newest_at,
        bool_or(NOT is_after) AS in_before,
        bool_or(is_after) AS in_after
    FROM (
        SELECT *, false AS is_after FROM "before".tags
        UNION ALL BY NAME
        SELECT *, true AS is_after FROM "after".tags
    )
    SEMI JOIN repeated_tags ON hash(repository_name, tag) = tag_hash
    GROUP BY repository_name, tag, image_id
),

paired AS (
    SELECT
        any_value(registry_id) AS registry_id,
        repository_name,
        tag,
        max(newest_at) FILTER (in_after) AS newest_at,
        count(*) FILTER (in_before) AS before_count,
        count(*) FILTER (in_after) AS after_count,
        arg_max(
            struct_pack(image_id := image_id, digest := before_digest),
            struct_pack(alone := NOT in_after, newest_at := newest_at, image_id := image_id)
        ) FILTER (in_before) AS was,
        arg_max(
            struct_pack(image_id := image_id, digest := digest),
            struct_pack(alone := NOT in_before, newest_at := newest_at, image_id := image_id)
        ) FILTER (in_after) AS now
    FROM places
    GROUP BY repository_name, tag
    HAVING NOT bool_and(in_before AND in_after)
),

differing AS (
    SELECT * FROM single
    UNION ALL BY NAME
    SELECT
        * EXCLUDE (was, now),
        was.image_id AS before_image_id,
        was.digest AS before_digest,
        now.image_id AS image_id,
        now.digest AS digest
    FROM paired
)

SELECT
    differing.*,
    whole(sized_after.compressed_size::HUGEINT - sized_before.compressed_size) AS size_delta
FROM differing
LEFT JOIN (SELECT image_id, compressed_size FROM "before".images) AS sized_before
    ON differing.before_image_id = sized_before.image_id
LEFT JOIN (SELECT image_id, compressed_size FROM "after".images) AS sized_after
    ON differing.image_id = sized_after.image_id;
