-- What an auditor should look at, by kind, with an example of each.
-- `SELECT * FROM findings` has all of them.
-- none: There is nothing to look at.
SELECT
    kind,
    count(*) AS finding_count,
    count(DISTINCT registry_id) AS registry_count,
    min_by(detail, subject) AS example
FROM findings
GROUP BY kind
ORDER BY finding_count DESC, kind
