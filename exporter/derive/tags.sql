-- The tag index: a row for each tag of each image. A tag that one image names twice has one.

SELECT
    registry_id,
    repository_name,
    unnest(list_distinct(tags)) AS tag,
    image_id,
    digest,
    created_at
FROM images
ORDER BY repository_name, tag, image_id
