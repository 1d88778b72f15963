from django.apps import AppConfig


class CasesConfig(AppConfig):
    name = "readerstudy.cases"

    def ready(self) -> None:
        from django.core.checks import Tags, register

        from readerstudy.cases.store_checks import bucket, library

        register(library, Tags.files)
        register(bucket, Tags.files, deploy=True)
