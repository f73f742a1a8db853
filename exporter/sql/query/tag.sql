-- The images that bear a tag.
-- $tag: text -- the tag; * stands for any letters
-- $limit: count = 100 -- how many images to show
-- none: No image bears this tag.
SELECT tags.repository_name, tags.tag, tags.digest, tags.created_at, compressed_size, image_id
FROM tags JOIN images USING (image_id)
WHERE tags.tag GLOB $tag
ORDER BY tags.repository_name, tags.tag, tags.created_at DESC
LIMIT $limit
