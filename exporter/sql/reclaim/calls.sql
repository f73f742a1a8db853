-- One rule's filter: the images that it filters, and whether it calls for deleting them.

INSERT INTO calls
SELECT
    image,
    $rule::INTEGER,
    place > $retained_top AND (NOT $has_period OR coalesce(created_at < $before::TIMESTAMPTZ, false))
FROM (
    SELECT
        image,
        created_at,
        row_number() OVER (
            PARTITION BY repository ORDER BY created_at DESC NULLS LAST, image_id DESC
        ) AS place
    FROM candidates
    WHERE
        ($untagged AND is_untagged)
        OR len(list_filter(tags, lambda tag: regexp_full_match(tag, $tag_regexp::VARCHAR))) > 0
);
