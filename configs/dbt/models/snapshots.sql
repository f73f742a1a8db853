-- The published snapshots, a row each, with the day on which they were started.
select distinct
    snapshot_id,
    status = 'complete' as is_complete,
    started_at,
    finished_at,
    cast(started_at at time zone 'UTC' as date) as day,
    format_version
from {{ source('inventory', 'manifests') }}
