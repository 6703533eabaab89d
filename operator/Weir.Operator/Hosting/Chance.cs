using System.Security.Cryptography;

namespace Weir.Operator.Hosting;

/// <summary>Spreads what many instances or resources would do at the same moment.</summary>
internal static class Chance
{
    /// <summary>From 0 to below 1.</summary>
    public static double Next() => RandomNumberGenerator.GetInt32(1 << 24) / (double)(1 << 24);
}
