-- The images of one repository, newest first.
-- $name: text -- the repository's full name, such as crp0/team/app; * stands for any letters
-- $limit: count = 50 -- how many images to show
-- none: No repository of this name has an image.
SELECT repository_name, tags, digest, created_at, compressed_size, layer_count, image_id
FROM images
WHERE repository_name GLOB $name
ORDER BY created_at DESC, image_id
LIMIT $limit
