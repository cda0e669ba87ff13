# Plans with invented credentials: nothing here asks AWS.

provider "aws" {
  region                      = "eu-central-1"
  access_key                  = "test"
  secret_key                  = "test"
  skip_credentials_validation = true
  skip_metadata_api_check     = true
  skip_requesting_account_id  = true
}

variables {
  region            = "eu-central-1"
  github_repository = "example/name-classifier"
  oidc_provider_arn = "arn:aws:iam::123456789012:oidc-provider/token.actions.githubusercontent.com"
}

run "only_the_environment_of_the_repository_takes_the_role" {
  command = plan

  assert {
    condition = jsondecode(aws_iam_role.release.assume_role_policy).Statement[0].Condition.StringEquals == {
      "token.actions.githubusercontent.com:aud" = "sts.amazonaws.com"
      "token.actions.githubusercontent.com:sub" = "repo:example/name-classifier:environment:release"
    }
    error_message = "The role can be taken by somebody else."
  }
}

run "images_are_scanned_and_cannot_be_replaced" {
  command = plan

  assert {
    condition     = aws_ecr_repository.image.image_tag_mutability == "IMMUTABLE"
    error_message = "A tag can be moved to another image."
  }

  assert {
    condition     = aws_ecr_repository.image.image_scanning_configuration[0].scan_on_push
    error_message = "Images are not scanned."
  }
}

run "an_account_without_a_provider_gets_one" {
  command = plan

  variables {
    oidc_provider_arn = null
  }

  assert {
    condition     = length(aws_iam_openid_connect_provider.github) == 1
    error_message = "GitHub has no OIDC provider."
  }
}

run "a_key_of_ones_own_encrypts" {
  command = plan

  variables {
    kms_key_arn = "arn:aws:kms:eu-central-1:123456789012:key/11111111-2222-3333-4444-555555555555"
  }

  assert {
    condition     = aws_ecr_repository.image.encryption_configuration[0].encryption_type == "KMS"
    error_message = "The key is not used."
  }
}

run "wildcards_are_refused" {
  command = plan

  variables {
    github_repository  = "example/*"
    github_environment = "*"
  }

  expect_failures = [var.github_repository, var.github_environment]
}
