"""Coverage: what of this installation the policy and the record hold, what is open on purpose, what is forgotten.

One module per kind says in its docstring what “governed” means there: `tables`, `views`, `actions`, `tasks`, `routes`.
None of them trusts a name: `paths` reads the code of a view and follows its calls to the door it must pass.
"""
