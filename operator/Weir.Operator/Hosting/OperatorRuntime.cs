using Microsoft.Extensions.Logging;

namespace Weir.Operator.Hosting;

/// <summary>What every part of the operator needs: time, chance, figures and a log.</summary>
/// <param name="Time">The clock.</param>
/// <param name="Random">A number from 0 to below 1, another one each time.</param>
/// <param name="Metrics">The figures.</param>
/// <param name="Logger">The log.</param>
internal sealed record OperatorRuntime(TimeProvider Time, Func<double> Random, OperatorMetrics Metrics, ILogger Logger);
