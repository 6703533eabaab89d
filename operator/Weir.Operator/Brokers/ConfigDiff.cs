using System.Globalization;
using Weir.Client;

namespace Weir.Operator.Brokers;

/// <summary>Compares settings as they are wanted with settings as they are. What nobody specified is nobody's difference.</summary>
internal static class ConfigDiff
{
    /// <summary>What must be set: wanted values that differ, and null for what was wanted once and is not any more.</summary>
    /// <param name="wanted">Values by name.</param>
    /// <param name="managedBefore">Names that were wanted at the last pass.</param>
    /// <param name="live">Every setting with its present value.</param>
    public static Dictionary<string, string?> Of(
        IReadOnlyDictionary<string, string> wanted, IEnumerable<string>? managedBefore, IEnumerable<ConfigValue> live)
    {
        var present = live.ToDictionary(static config => config.Name, StringComparer.Ordinal);
        var changes = new Dictionary<string, string?>(StringComparer.Ordinal);
        foreach (var (name, value) in wanted)
        {
            if (!present.TryGetValue(name, out var config) || !AreSame(config.Value, value))
            {
                changes[name] = value;
            }
        }

        foreach (var name in managedBefore ?? [])
        {
            if (!wanted.ContainsKey(name) && present.TryGetValue(name, out var config) && !config.IsDefault)
            {
                changes[name] = null;
            }
        }

        return changes;
    }

    /// <summary>Brokers write values in their own way: 007 is 7, True is true.</summary>
    private static bool AreSame(string? left, string right) =>
        string.Equals(left, right, StringComparison.OrdinalIgnoreCase)
            || (decimal.TryParse(left, NumberStyles.Float, CultureInfo.InvariantCulture, out var a)
                && decimal.TryParse(right, NumberStyles.Float, CultureInfo.InvariantCulture, out var b) && a == b);
}
