-- `unreached`: the images of OCI registries that no tag leads to. A tag leads to the image that bears
-- it, from an index to what it refers to, and from an image to those whose subject it is.
--
-- `attestations`: the images that an index calls so, and that have another kind. A manifest does not
-- say it of itself, and may be read before the index.
--
-- Images are known by a 128-bit hash of their id here, which is a fifth as long. The cloud's images
-- have no kind, and none of them is here.

CREATE TABLE leads AS
SELECT md5_number(refs.image_id) AS origin, md5_number(child_image_id) AS target
FROM image_references AS refs JOIN images ON images.image_id = child_image_id
UNION
SELECT md5_number(concat(repository_name, '@', subject_digest)), md5_number(image_id)
FROM images
WHERE subject_digest IS NOT NULL;

CREATE TABLE unreached AS
WITH RECURSIVE origins AS (
    SELECT DISTINCT origin AS node FROM leads
),

-- Few images are led to and lead on: only those take part in the recursion, which so ends where
-- nothing new is found.
steps AS (
    SELECT origin, target FROM leads SEMI JOIN origins ON target = node
),

passed AS (
    SELECT node
    FROM origins JOIN images ON md5_number(image_id) = node
    WHERE tag_count > 0
    UNION
    SELECT target FROM steps JOIN passed ON origin = node
)

SELECT image_id, repository_name
FROM images
ANTI JOIN (SELECT target FROM leads JOIN passed ON origin = node) AS led
    ON md5_number(image_id) = target
WHERE kind IS NOT NULL AND tag_count = 0;

CREATE TABLE attestations AS
SELECT image_id
FROM images
SEMI JOIN (SELECT child_image_id FROM image_references WHERE relation = 'attestation')
    ON image_id = child_image_id
WHERE kind NOT IN ('index', 'attestation');
