-- Counts and sizes of each day, from the last complete snapshot that was started on it.
--
-- A run replaces the days whose last snapshot is new and leaves all others, so a day stays after its
-- snapshot was pruned.
{{ config(materialized='incremental', incremental_strategy='delete+insert', unique_key='day') }}

with last_of_day as (
    select day, snapshot_id, started_at
    from {{ ref('snapshots') }}
    where is_complete
    qualify row_number() over (partition by day order by started_at desc, snapshot_id desc) = 1
)

select
    last_of_day.day,
    last_of_day.snapshot_id,
    last_of_day.started_at,
    totals.scope,
    totals.scope_id,
    totals.scope_name,
    totals.image_count,
    totals.tagged_image_count,
    totals.untagged_image_count,
    totals.logical_size,
    totals.stored_size,
    totals.exclusive_size,
    totals.untagged_size
from last_of_day
join {{ source('inventory', 'size_totals') }} as totals using (snapshot_id)
{% if is_incremental() %}
where not exists (
    select 1
    from {{ this }} as known
    where known.day = last_of_day.day and known.started_at >= last_of_day.started_at
)
{% endif %}
