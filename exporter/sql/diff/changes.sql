-- `changes`: what may be said of the differences, by the `verdicts` on registries.
--
-- `out_of_before` and `out_of_after` are the repositories that a snapshot's patterns do not take in,
-- so that it could not have them.

CREATE TABLE judged AS
SELECT
    registry_id,
    repository_name,
    in_before,
    in_after,
    saw_untagged,
    sees_untagged OR NOT in_after AS sees_untagged,
    may_lose_images AND (ignores_patterns OR not_after IS NULL) AS may_lose_images,
    may_gain_images AND (ignores_patterns OR not_before IS NULL) AS may_gain_images,
    may_lose_repositories AND (ignores_patterns OR not_after IS NULL) AS may_lose,
    may_gain_repositories AND (ignores_patterns OR not_before IS NULL) AS may_gain
FROM named
JOIN verdicts USING (registry_id)
LEFT JOIN (SELECT repository_name, true AS not_before FROM out_of_before) USING (repository_name)
LEFT JOIN (SELECT repository_name, true AS not_after FROM out_of_after) USING (repository_name);

CREATE VIEW judged_images AS
SELECT
    CASE
        WHEN in_before AND in_after THEN 'image_changed'
        WHEN in_after THEN 'image_added'
        ELSE 'image_removed'
    END AS kind,
    image_changes.registry_id,
    image_changes.repository_name,
    image_id,
    coalesce(digest, before_digest) AS digest,
    CASE WHEN in_before THEN image_id END AS before_image_id,
    before_digest,
    size_delta,
    saw_untagged,
    differences
FROM image_changes
JOIN (
    SELECT repository_name, may_lose_images, may_gain_images, saw_untagged, sees_untagged
    FROM judged
) AS judged
    ON coalesce(image_changes.repository_name, '') = judged.repository_name
WHERE CASE
    WHEN in_before AND in_after THEN true
    WHEN in_after THEN may_gain_images
    -- Where images without a tag cannot be seen, one that is missing may still be there.
    ELSE may_lose_images AND sees_untagged
END;

-- The bytes of a repository or a registry that came or went: those of its images.
CREATE TABLE moved_sizes AS
SELECT
    coalesce(registry_id, '') AS registry_id,
    coalesce(repository_name, '') AS repository_name,
    coalesce(sum(size_delta) FILTER (kind = 'image_added'), 0) AS added,
    coalesce(sum(size_delta) FILTER (kind = 'image_removed'), 0) AS removed
FROM judged_images
GROUP BY ALL;

CREATE VIEW judged_tags AS
SELECT
    CASE
        WHEN before_count > 0 AND after_count > 0 THEN 'tag_moved'
        WHEN after_count > 0 THEN 'tag_added'
        ELSE 'tag_removed'
    END AS kind,
    tag_changes.*
FROM tag_changes
JOIN (SELECT repository_name, may_lose_images, may_gain_images FROM judged) AS judged
    ON coalesce(tag_changes.repository_name, '') = judged.repository_name
WHERE CASE
    WHEN before_count > 0 AND after_count > 0 THEN true
    WHEN after_count > 0 THEN may_gain_images
    ELSE may_lose_images
END;

CREATE VIEW changes AS
SELECT
    change AS kind,
    registry_id,
    NULL::VARCHAR AS repository_name,
    NULL::VARCHAR AS tag,
    NULL::VARCHAR AS image_id,
    NULL::VARCHAR AS digest,
    NULL::VARCHAR AS before_image_id,
    NULL::VARCHAR AS before_digest,
    whole(coalesce(CASE WHEN change = 'registry_added' THEN added ELSE removed END, 0))
        AS size_delta,
    registry_id AS subject,
    CASE WHEN change = 'registry_added' THEN 'The registry is new.' ELSE 'The registry is gone.' END
        AS detail
FROM verdicts
LEFT JOIN (
    SELECT registry_id, sum(added) AS added, sum(removed) AS removed
    FROM moved_sizes GROUP BY registry_id
) USING (registry_id)
WHERE change IS NOT NULL
UNION ALL
SELECT
    CASE WHEN in_after THEN 'repository_added' ELSE 'repository_removed' END,
    registry_id,
    repository_name,
    NULL, NULL, NULL, NULL, NULL,
    whole(coalesce(CASE WHEN in_after THEN added ELSE removed END, 0)),
    repository_name,
    CASE WHEN in_after THEN 'The repository is new.' ELSE 'The repository is gone.' END
FROM judged
LEFT JOIN (SELECT * EXCLUDE (registry_id) FROM moved_sizes) USING (repository_name)
WHERE
    repository_name <> ''
    AND ((in_after AND NOT in_before AND may_gain) OR (in_before AND NOT in_after AND may_lose))
UNION ALL
SELECT
    kind,
    registry_id,
    repository_name,
    NULL,
    image_id,
    digest,
    before_image_id,
    before_digest,
    size_delta,
    image_id,
    CASE
        WHEN kind = 'image_added' AND saw_untagged THEN 'The image is new.'
        WHEN kind = 'image_added' THEN 'The image is new, or no tag led to it before.'
        WHEN kind = 'image_removed' THEN 'The image is gone.'
        ELSE format('The image of this id is not the same: {}.', differences)
    END
FROM judged_images
UNION ALL
SELECT
    kind,
    registry_id,
    repository_name,
    tag,
    image_id,
    digest,
    before_image_id,
    before_digest,
    CASE WHEN kind = 'tag_moved' THEN size_delta END,
    -- A name with a colon is quoted: else two tags could have one subject.
    CASE
        WHEN contains(repository_name, ':') OR starts_with(repository_name, '"')
            THEN concat('"', replace(replace(repository_name, '\', '\\'), '"', '\"'), '":', tag)
        ELSE concat(repository_name, ':', tag)
    END,
    CASE kind
        WHEN 'tag_added' THEN format('The tag is new, on image {}', image_id)
        WHEN 'tag_removed' THEN format('The tag is gone from image {}', before_image_id)
        ELSE format('The tag moved from image {} to {}', before_image_id, image_id)
    END
    || CASE WHEN before_count > 1 THEN format('; before, {} images had it', before_count) ELSE '' END
    || CASE WHEN after_count > 1 THEN format('; now, {} images have it', after_count) ELSE '' END
    || '.'
FROM judged_tags
UNION ALL
SELECT
    'unknown',
    nullif(registry_id, ''),
    NULL, NULL, NULL, NULL, NULL, NULL, NULL,
    registry_id,
    detail
FROM verdicts
WHERE detail <> '';
