# ICC (psych) and weighted kappa of the first two readers (psych, vcd) of one arm: Rscript agreement.R FILE ARM
suppressMessages({library(psych); library(vcd)})
cat(R.version.string, "psych", as.character(packageVersion("psych")), "vcd", as.character(packageVersion("vcd")), "\n")
d <- subset(read.csv(commandArgs(TRUE)[1]), arm == commandArgs(TRUE)[2])
d$slice <- factor(d$slice, levels = unique(d$slice))
wide <- tapply(d$score, list(d$slice, d$reader), identity)
icc <- ICC(wide, lmer = FALSE)$results
for (type in c("ICC2", "ICC2k")) {
  cat(type, sprintf("%.12f", unlist(icc[icc$type == type, c("ICC", "lower bound", "upper bound")])), "\n")
}
pair <- table(factor(wide[, 1], levels = 1:5), factor(wide[, 2], levels = 1:5))
linear <- 1 - abs(outer(1:5, 1:5, "-")) / 4
cat("psych linear, quadratic", sprintf("%.12f", c(cohen.kappa(pair, w = linear)$weighted.kappa, cohen.kappa(pair)$weighted.kappa)), "\n")
for (weights in c("Equal-Spacing", "Fleiss-Cohen")) {
  found <- Kappa(pair, weights = weights)
  cat("vcd", weights, sprintf("%.12f", c(found$Weighted["value"], found$Weighted["ASE"])), "\n")
}
