-- The untagged images by age, and what deleting them and all older ones would free.
-- The age is that on the day of the snapshot. logical_size is the sum of the images'
-- compressed_size, freed_size what deleting the images of this age and all older ones would free.
-- none: No image that was listed is untagged; some OCI registries do not show such images.
WITH ages AS (
    FROM (VALUES
        (0, 'unknown', NULL),
        (1, 'up to 7 days', 0),
        (2, '7 to 30 days', 7),
        (3, '30 to 90 days', 30),
        (4, '90 to 365 days', 90),
        (5, 'over 365 days', 365)
    ) AS ages (place, age, days)
),
aged AS (
    SELECT
        image_id,
        repository_name,
        compressed_size,
        coalesce(NOT reachable, tag_count = 0) AS is_untagged,
        CASE
            WHEN created_at IS NULL THEN 0
            WHEN created_at >= started_at - INTERVAL 7 DAY THEN 1
            WHEN created_at >= started_at - INTERVAL 30 DAY THEN 2
            WHEN created_at >= started_at - INTERVAL 90 DAY THEN 3
            WHEN created_at >= started_at - INTERVAL 365 DAY THEN 4
            ELSE 5
        END AS place
    FROM images, snapshots
),
-- A layer goes with the youngest of the images that use it, if all are untagged.
freed AS (
    SELECT place, sum(size) AS size
    FROM (
        SELECT max(layers.size) AS size, min(place) AS place
        FROM layers JOIN aged USING (image_id)
        WHERE distributable IS DISTINCT FROM false
        GROUP BY layers.registry_id, layers.digest
        HAVING bool_and(is_untagged)
    )
    GROUP BY place
),
counted AS (
    SELECT
        place,
        count(*) AS image_count,
        count(DISTINCT repository_name) AS repository_count,
        sum(compressed_size) AS logical_size
    FROM aged
    WHERE is_untagged
    GROUP BY place
)
SELECT
    age,
    image_count,
    repository_count,
    logical_size,
    coalesce((SELECT sum(size) FROM freed WHERE freed.place >= counted.place), 0) AS freed_size
FROM counted JOIN ages USING (place)
ORDER BY place
