"""Who somebody is: second factors and OpenID Connect through django-allauth, wrong ones counted, fresh proofs."""
