-- How the listings went, by what was listed.

SELECT
    listing,
    count(*) AS count,
    count(*) FILTER (status = 'complete') AS complete,
    count(*) FILTER (status = 'skipped') AS skipped,
    count(*) FILTER (status = 'vanished') AS vanished,
    count(*) FILTER (status NOT IN ('complete', 'skipped', 'vanished')) AS missing,
    coalesce(sum(rows), 0) AS rows,
    coalesce(sum(calls), 0) AS calls,
    coalesce(sum(retries), 0) AS retries
FROM coverage
GROUP BY listing
ORDER BY list_position([
        'clouds', 'folders', 'registries', 'repositories', 'images',
        'tags', 'manifests', 'configs', 'untagged'
    ], listing)
