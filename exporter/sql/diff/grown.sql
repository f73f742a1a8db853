-- The scopes of one kind, or all but the total, that grew most by stored size; those that shrank with the sign turned.
SELECT scope, scope_id, scope_name, before_stored_size, after_stored_size, stored_size_delta
FROM growth
WHERE
    scope <> 'total'
    AND ($scope::VARCHAR IS NULL OR scope = $scope)
    AND stored_size_delta * $sign > 0
ORDER BY stored_size_delta * $sign DESC, scope, scope_id
LIMIT $most
