# Both mixed models of every table in FOLDER: Rscript clmm.R FOLDER
# Prints log odds, standard errors, SD of the effects, log-likelihood with and without arms.
suppressMessages(library(ordinal))
cat(R.version.string, "ordinal", as.character(packageVersion("ordinal")), "\n")
for (path in list.files(commandArgs(TRUE)[1], pattern = "csv$", full.names = TRUE)) {
  d <- read.csv(path, stringsAsFactors = TRUE)
  d$score <- ordered(d$score)
  for (effects in c("(1|slice) + (1|reader)", "(1|slice) + (1|reader) + (1|sa) + (1|ra)")) {
    fit <- function(fixed, hess) clmm(as.formula(paste("score ~", fixed, "+", effects)), data = d, Hess = hess,
                                      control = clmm.control(gradTol = 1e-6))
    full <- fit("arm", TRUE)
    null <- fit("1", FALSE)
    arms <- grep("^arm", rownames(coef(summary(full))))
    sds <- sapply(VarCorr(full), function(v) attr(v, "stddev"))
    cat("\n", basename(path), effects, "\n")
    cat("log odds", sprintf("%.12f", coef(summary(full))[arms, 1]), "\n")
    cat("se      ", sprintf("%.12f", coef(summary(full))[arms, 2]), "\n")
    cat("sd      ", paste(names(sds), sprintf("%.12f", sds)), "\n")
    cat("logLik  ", sprintf("%.9f", c(logLik(full), logLik(null))), "\n")
  }
}
