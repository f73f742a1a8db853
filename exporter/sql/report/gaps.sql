-- The listings that are not complete, those that failed before those left out on purpose; at most
-- `$most`.

SELECT
    listing,
    parent_id,
    coalesce(nullif(scope_name, ''), '') AS name,
    status,
    coalesce(rows, 0) AS rows,
    coalesce(message, '') AS message
FROM coverage
LEFT JOIN size_totals
    ON scope_id = parent_id
    AND scope = CASE listing WHEN 'folders' THEN 'cloud' WHEN 'registries' THEN 'folder' ELSE 'registry' END
WHERE status <> 'complete'
ORDER BY status IN ('skipped', 'vanished'), status, listing, parent_id
LIMIT $most
