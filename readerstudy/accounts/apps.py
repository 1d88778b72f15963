from django.apps import AppConfig


class AccountsConfig(AppConfig):
    name = "readerstudy.accounts"

    def ready(self) -> None:
        from django.contrib.auth.signals import user_logged_in
        from django.core.checks import Tags, register

        from readerstudy.accounts.checks import CHECKS
        from readerstudy.accounts.sessions import begin

        for check in CHECKS:
            register(check, Tags.security)
        user_logged_in.connect(begin, dispatch_uid="readerstudy.accounts.sessions")
