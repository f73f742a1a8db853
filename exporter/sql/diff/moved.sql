-- The tags that moved, those to the newest images first.
SELECT repository_name, tag, before_digest, digest, size_delta
FROM judged_tags
WHERE kind = 'tag_moved'
ORDER BY newest_at DESC NULLS LAST, repository_name, tag
LIMIT $most
