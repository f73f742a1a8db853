-- The images that take the most bytes to pull.
-- $limit: count = 20 -- how many images to show
-- none: There are no images.
SELECT repository_name, tags, compressed_size, created_at, digest, image_id
FROM images
ORDER BY compressed_size DESC, image_id
LIMIT $limit
