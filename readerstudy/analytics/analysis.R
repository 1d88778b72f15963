# The headline numbers of this study again, in R, beside those of statistics.json.
#
#   Rscript analysis.R            in the folder that holds scores.csv
#   Rscript analysis.R FOLDER
#
# Base R is enough to begin with. Each block that needs a package says so where the package is missing:
# jsonlite (the numbers to compare with), lme4, ordinal, psych, irr, MRMCaov.
# Research use only, not for diagnosis.

options(width = 120)
folder <- c(commandArgs(trailingOnly = TRUE), ".")[1]
if (!file.exists(file.path(folder, "scores.csv"))) stop("There is no scores.csv in ", folder, ": name its folder.")

heading <- function(text) cat("\n", text, "\n", strrep("-", nchar(text)), "\n", sep = "")
missing_package <- function(name) {
  if (requireNamespace(name, quietly = TRUE)) return(FALSE)
  cat("Skipped: the package ", name, " is not installed.\n", sep = "")
  TRUE
}
# A block that fails says why, and the next one runs.
attempt <- function(block) tryCatch(block, error = function(e) cat("Not computed:", conditionMessage(e), "\n"))

checks <- data.frame(quantity = character(), here = numeric(), exported = numeric(), tolerance = numeric())
# Notes a number beside the exported one; what statistics.json does not define is left out.
check <- function(quantity, here, exported, tolerance = 1e-9) {
  if (is.list(exported)) exported <- exported$value
  if (is.numeric(exported) && length(exported) == 1 && length(here) == 1 && is.finite(here))
    checks[nrow(checks) + 1, ] <<- list(quantity, here, exported, tolerance)
}

document <- facts <- NULL
if (!missing_package("jsonlite")) {
  document <- jsonlite::fromJSON(file.path(folder, "statistics.json"), simplifyVector = FALSE)
  facts <- document$study
}

# The long table -----------------------------------------------------------------------------------------------
# score: a whole number; NA where the reader could not judge; empty where the image was not read.
long <- read.csv(file.path(folder, "scores.csv"), colClasses = "character", na.strings = character(),
                 encoding = "UTF-8")
arms <- unique(long$arm)
readers <- unique(long$reader)
if (any(long$simulated == "1")) cat("SIMULATED READERS: the scores were made by a program, not by people.\n")
cat(length(unique(long$slice)), "slices,", length(arms), "arms,", length(readers), "readers;",
    sum(long$repeat. == "0" & long$score == "NA"), "times a reader could not judge,",
    sum(long$repeat. == "0" & long$score == ""), "images were not read.\n")

if (!is.null(facts)) {
  if (identical(facts$plan$cannot_judge, "worst score"))
    long$score[long$score == "NA"] <- as.character(min(unlist(facts$categories)))
  if (identical(facts$plan$missing, "complete slices")) {
    stayed <- !(long$reader %in% unlist(facts$left)) & long$repeat. == "0"
    long <- long[!(long$slice %in% long$slice[stayed & long$score %in% c("", "NA")]), ]
  }
}
long <- long[long$repeat. == "0" & !(long$score %in% c("", "NA")), ]
if (nrow(long) == 0) stop("No image was scored: there is nothing to analyse.")
long$score <- as.integer(long$score)
long$arm <- factor(long$arm, levels = arms)
long$reader <- factor(long$reader, levels = readers)
long$slice <- factor(long$slice)
patient_of <- tapply(long$patient, long$slice, `[`, 1)
if (any(patient_of == "")) patient_of[] <- names(patient_of)
categories <- if (is.null(facts)) seq(min(long$score), max(long$score)) else sort(unlist(facts$categories))
complete <- all(table(long$slice, long$arm, long$reader) == 1)

# One arm as a matrix, slices in rows and readers in columns, NA where there is no score.
scores_of <- function(arm) {
  rows <- long[long$arm == arm, ]
  tapply(rows$score, list(rows$slice, rows$reader), mean)
}

heading("Mean score per arm (mean of slice means)")
for (arm in arms) attempt({
  means <- rowMeans(scores_of(arm), na.rm = TRUE)
  means <- means[is.finite(means)]
  half <- qt(.975, length(means) - 1) * sd(means) / sqrt(length(means))
  cat(sprintf("  %-24s %.6f (%.6f to %.6f), %d slices\n", arm, mean(means), mean(means) - half, mean(means) + half,
              length(means)))
  exported <- document$arms[[arm]]$opinion$mean_score
  check(paste("mean score,", arm), mean(means), exported)
  check(paste("mean score, low,", arm), mean(means) - half, exported$ci_low)
  check(paste("mean score, high,", arm), mean(means) + half, exported$ci_high)
})

heading("Differences, readers and patients random (Obuchowski and Rockette 1995; Hillis 2007)")
random_readers <- function(difference) {
  difference <- difference[, colSums(is.finite(difference)) > 0, drop = FALSE]
  difference <- difference[rowSums(is.finite(difference)) > 0, , drop = FALSE]
  given <- is.finite(difference)
  means <- colMeans(difference, na.rm = TRUE)
  centred <- ifelse(given, sweep(difference, 2, means), 0)
  centred <- sweep(centred, 2, colSums(given), "/")
  sums <- rowsum(centred, patient_of[rownames(difference)])
  covariance <- nrow(sums) / (nrow(sums) - 1) * crossprod(sums)
  n <- length(means)
  shared <- max((sum(covariance) - sum(diag(covariance))) / (n * (n - 1)), 0)
  between <- var(means)
  df <- min((between + n * shared)^2 / (between^2 / (n - 1)), 1e9)
  error <- sqrt(between / n + shared)
  list(value = mean(means), error = error, df = df, p = 2 * pt(-abs(mean(means)) / error, df))
}
for (pair in combn(arms, 2, simplify = FALSE)) attempt({
  made <- random_readers(scores_of(pair[2]) - scores_of(pair[1]))
  label <- paste(pair[2], "-", pair[1])
  cat(sprintf("  %-40s %9.6f, standard error %.6f, df %.2f, p %.6f\n", label, made$value, made$error, made$df, made$p))
  exported <- Filter(function(one) identical(unlist(one$arms), pair), document$comparisons)
  if (length(exported) == 1) {
    check(paste("difference,", label), made$value, exported[[1]]$mrmc)
    check(paste("its df,", label), made$df, exported[[1]]$mrmc$df, 1e-7)
    check(paste("its p,", label), made$p, exported[[1]]$mrmc$p, 1e-7)
  }
})

heading("lme4: mean score")
if (!missing_package("lme4")) attempt({
  model <- lme4::lmer(score ~ arm + (1 | slice) + (1 | reader) + (1 | slice:arm) + (1 | reader:arm), long)
  print(summary(model)$coefficients)
  print(lme4::VarCorr(model))
  # With every image read by everyone the fixed effects are the differences of the means.
  if (complete && !is.null(document)) for (arm in arms[-1]) {
    means <- lapply(c(arm, arms[1]), function(name) document$arms[[name]]$opinion$mean_score$value)
    check(paste("lme4, difference from the first arm,", arm), lme4::fixef(model)[[paste0("arm", arm)]],
          means[[1]] - means[[2]], 1e-6)
  }
})

heading("ordinal: cumulative link mixed models")
if (!missing_package("ordinal")) {
  long$ordered <- factor(long$score, ordered = TRUE)
  fit <- function(name, formula) attempt({
    model <- ordinal::clmm(formula, data = long)
    cat("\n", name, "\n", sep = "")
    print(summary(model)$coefficients)
    exported <- document$omnibus[[name]]
    for (arm in levels(droplevels(long$arm))[-1])
      check(paste0(name, ", log odds, ", arm), model$beta[[paste0("arm", arm)]], exported$log_odds[[arm]], 1e-3)
    check(paste0(name, ", log likelihood"), as.numeric(model$logLik), exported$log_likelihood, 1e-3)
  })
  fit("clmm", ordered ~ arm + (1 | slice) + (1 | reader))
  fit("clmm_crossed", ordered ~ arm + (1 | slice) + (1 | reader) + (1 | slice:arm) + (1 | reader:arm))
}

heading("Agreement per arm, of the slices that every reader scored")
have_psych <- !missing_package("psych")
have_irr <- !missing_package("irr")
for (arm in arms) attempt({
  matrix_of <- scores_of(arm)
  whole <- matrix_of[complete.cases(matrix_of), , drop = FALSE]
  agreement <- document$arms[[arm]]$agreement
  if (have_psych && nrow(whole) > 1 && ncol(whole) > 1) {
    icc <- psych::ICC(whole, lmer = FALSE)$results
    single <- icc$ICC[icc$type == "ICC2"]
    average <- icc$ICC[icc$type == "ICC2k"]
    cat(sprintf("  %-24s ICC(2,1) %.6f, ICC(2,k) %.6f\n", arm, single, average))
    check(paste("ICC(2,1),", arm), single, agreement$icc_2_1)
    check(paste("ICC(2,k),", arm), average, agreement$icc_2_k)
    for (pair in combn(colnames(matrix_of), 2, simplify = FALSE)) attempt({
      both <- matrix_of[complete.cases(matrix_of[, pair]), pair]
      kappa <- psych::cohen.kappa(both, levels = categories)$weighted.kappa
      check(paste0("quadratic weighted kappa, ", paste(pair, collapse = "-"), ", ", arm), kappa,
            agreement$pairwise_weighted_kappa_quadratic[[paste(pair, collapse = "-")]])
    })
  }
  if (have_irr && nrow(whole) > 1) {
    fleiss <- irr::kappam.fleiss(whole)$value
    cat(sprintf("  %-24s Fleiss' kappa %.6f\n", arm, fleiss))
    if (nrow(whole) == sum(rowSums(is.finite(matrix_of)) > 0))
      check(paste("Fleiss' kappa,", arm), fleiss, agreement$fleiss_kappa)
  }
})

heading("MRMCaov: share of scores in the upper half of the scale")
# MRMCaov compares readings with a truth; without one, the share of high scores is its sensitivity when every
# image counts as positive. It is a check of the design on a second number, not the study's headline.
if (!missing_package("MRMCaov")) attempt({
  shares <- data.frame(truth = 1, rating = as.integer(long$score > mean(range(categories))), arm = long$arm,
                       reader = long$reader, slice = long$slice)
  suppressPackageStartupMessages(library(MRMCaov))
  print(summary(mrmc(binary_sens(truth, rating), arm, reader, slice, data = shares, cov = unbiased)))
})

heading("Beside statistics.json")
if (is.null(document)) {
  cat("Not compared: jsonlite is needed to read statistics.json.\n")
} else {
  distance <- abs(checks$here - checks$exported)
  same <- distance <= checks$tolerance * pmax(1, abs(checks$exported))
  cat(sprintf("%-58s %16s %16s %10s\n", "quantity", "R", "statistics.json", "difference"))
  cat(sprintf("%-58s %16.10g %16.10g %10.1e%s\n", checks$quantity, checks$here, checks$exported, distance,
              ifelse(same, "", "  DIFFERS")), sep = "")
  cat("\n", sum(same), " of ", length(same), " numbers agree (closed forms to 1e-9, fits to 1e-3).\n", sep = "")
}
