"""The Container Registry of Nebius and Yandex Cloud, over its list API.

`discovery` finds clouds, folders and registries; `registries` lists the registries, with `split`
if one is large; `decode` turns pages into rows. `README.md` has the API's facts.
"""
