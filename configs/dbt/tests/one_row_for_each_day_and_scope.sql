-- Each scope has one row a day. A row of this answer is a scope that has several.
select day, scope, scope_id, count(*) as found
from {{ ref('sizes_by_day') }}
group by all
having count(*) > 1
