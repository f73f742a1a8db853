-- The total of a day is the sum of its registries. A row of this answer is a day that differs.
select
    day,
    sum(stored_size) filter (where scope = 'registry') as of_registries,
    sum(stored_size) filter (where scope = 'total') as in_total
from {{ ref('sizes_by_day') }}
group by day
having coalesce(of_registries, 0) <> in_total
