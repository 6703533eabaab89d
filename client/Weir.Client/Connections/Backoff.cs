using System.Security.Cryptography;

namespace Weir.Client.Connections;

/// <summary>How long to wait before the next attempt: doubled each time up to a bound, half of it at random.</summary>
internal static class Backoff
{
    /// <summary>The wait before attempt number <paramref name="failures"/>; zero before the first.</summary>
    public static TimeSpan Delay(TimeSpan first, TimeSpan max, int failures)
    {
        if (failures <= 0)
        {
            return TimeSpan.Zero;
        }

        var ticks = Math.Min(max.Ticks, first.Ticks * (1L << Math.Min(failures - 1, 20)));
        return TimeSpan.FromTicks((ticks / 2) + (ticks / 2 * RandomNumberGenerator.GetInt32(1025) / 1024));
    }
}
