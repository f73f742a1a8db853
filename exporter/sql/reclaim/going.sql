-- `going`: the images that match, but for those that --keep-last spares. `rules` are the lifecycle
-- rules that filter an image, all of which call for deleting it.

CREATE TABLE going AS
SELECT image, image_id, repository, registry, compressed_size, created_at, rules
FROM candidates
LEFT JOIN (
    SELECT image, list(rule ORDER BY rule) AS rules
    FROM calls
    GROUP BY image
    HAVING bool_and(called)
) USING (image)
WHERE holds AND (rules IS NOT NULL OR NOT $has_rules);
