-- Who uses a layer, or each layer of an image.
-- The layers stand in the image's order, the base first. An index has those of all images that it
-- refers to. tagged_image_count are the images that a tag leads to.
-- $digest: either text -- the digest of a layer or an image
-- $image: either text -- an image: its id, its digest or REPOSITORY:TAG
-- $limit: count = 100 -- how many rows to show
-- none: No layer and no image is known by this name.
WITH RECURSIVE asked AS (
    -- A digest may be cut, to `sha256:` and 12 letters at least, as tables on a terminal cut it.
    SELECT
        name,
        CASE WHEN regexp_full_match(name, 'sha256:[0-9a-f]{12,}…?') THEN rtrim(name, '…') END AS part
    FROM (SELECT coalesce($digest::VARCHAR, $image::VARCHAR) AS name)
),
named AS (
    SELECT image_id FROM images, asked WHERE image_id = name OR starts_with(digest, part)
    UNION
    SELECT image_id FROM tags, asked WHERE repository_name || ':' || tag = name
),
chosen AS (
    FROM named
    UNION
    SELECT child_image_id FROM image_references JOIN chosen USING (image_id)
),
wanted AS (
    SELECT digest, min(position) AS position
    FROM layers, asked
    WHERE digest = name OR starts_with(digest, part) OR image_id IN (FROM chosen)
    GROUP BY digest
)
SELECT
    layers.digest AS layer,
    max(layers.size) AS size,
    layers.repository_name,
    count(DISTINCT layers.image_id) AS image_count,
    count(DISTINCT layers.image_id) FILTER (coalesce(reachable, tag_count > 0)) AS tagged_image_count
FROM layers JOIN wanted USING (digest) JOIN images USING (image_id)
GROUP BY wanted.position, layers.digest, layers.repository_name
ORDER BY wanted.position, layers.digest, image_count DESC, layers.repository_name
LIMIT $limit
