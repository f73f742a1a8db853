-- The findings by kind, with the first `$most` of each as examples.

SELECT
    kind,
    count(*) AS count,
    list(
        {subject: coalesce(subject, ''), detail: coalesce(detail, '')} ORDER BY subject
    )[:$most] AS examples
FROM findings
GROUP BY kind
ORDER BY count DESC, kind
