variable "region" {
  description = "AWS region of the registry."
  type        = string
}

variable "github_repository" {
  description = "GitHub repository whose release workflow may push, as OWNER/NAME."
  type        = string

  validation {
    condition     = can(regex("^[A-Za-z0-9-]+/[A-Za-z0-9._-]+$", var.github_repository))
    error_message = "Give OWNER/NAME, without wildcards."
  }
}

variable "github_environment" {
  description = "Environment that a workflow's job must run in to take the role."
  type        = string
  default     = "release"

  validation {
    condition     = can(regex("^[A-Za-z0-9._-]+$", var.github_environment))
    error_message = "Give the name of one environment, without wildcards."
  }
}

variable "oidc_provider_arn" {
  description = "ARN of the account's OIDC provider for GitHub; null makes one. An account can have only one."
  type        = string
  default     = null
}

variable "repository_name" {
  description = "Name of the ECR repository, and of the role's prefix."
  type        = string
  default     = "fastapi-ml"
}

variable "kms_key_arn" {
  description = "ARN of the KMS key that encrypts images; null is a key of AWS (AES-256)."
  type        = string
  default     = null
}

variable "images_kept" {
  description = "Number of tagged images that are kept; older ones expire."
  type        = number
  default     = 50

  validation {
    condition     = var.images_kept >= 2
    error_message = "Keep at least two: the running image and the one to roll back to."
  }
}

variable "untagged_days" {
  description = "Days after which images without a tag expire. Platforms of a tagged multi-arch image do not count as such."
  type        = number
  default     = 7
}

variable "tags" {
  description = "Tags of every resource."
  type        = map(string)
  default     = {}
}
