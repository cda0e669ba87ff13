output "repository_url" {
  description = "Of the registry: the repository variable ECR_REPOSITORY_URL."
  value       = aws_ecr_repository.image.repository_url
}

output "role_arn" {
  description = "Of the release workflow's role: the repository variable AWS_ROLE_ARN."
  value       = aws_iam_role.release.arn
}

output "region" {
  description = "The repository variable AWS_REGION."
  value       = var.region
}
