-- `candidates`: the images of these repositories to which all flags apply but --keep-last. Lifecycle
-- rules compare all images of a repository, so with rules the others are here too, without `holds`.
-- `image` numbers them: joining and grouping by numbers is cheaper than by ids. An image of an OCI
-- registry is untagged if no tag leads to it, also not through an index.

CREATE TABLE candidates AS
SELECT (row_number() OVER ())::INTEGER AS image, *
FROM (
    SELECT
        image_id,
        repository,
        registry,
        compressed_size,
        created_at,
        CASE WHEN $has_rules THEN tags END AS tags,
        coalesce(NOT reachable, tag_count = 0) AS is_untagged,
        coalesce(
            (NOT $untagged OR coalesce(NOT reachable, tag_count = 0))
            AND (NOT $has_period OR created_at < $before::TIMESTAMPTZ)
            AND (
                $tags::VARCHAR IS NULL
                OR (
                    len(tags) > 0
                    AND len(list_filter(tags, lambda tag: regexp_full_match(tag, $tags::VARCHAR)))
                    = len(tags)
                )
            ),
            false
        ) AS holds
    FROM images JOIN asked_repositories USING (repository_name)
)
WHERE $has_rules OR holds;
