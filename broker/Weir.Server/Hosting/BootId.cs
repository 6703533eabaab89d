using System.Security.Cryptography;
using System.Text;

namespace Weir.Server.Hosting;

/// <summary>What differs after each start of the machine: with the same one, the page cache still has what was written.</summary>
internal static class BootId
{
    private const string LinuxPath = "/proc/sys/kernel/random/boot_id";

    /// <summary>The machine's boot id; a new one for each process where the machine does not tell.</summary>
    public static Guid Read() =>
        File.Exists(LinuxPath) && Guid.TryParse(File.ReadAllText(LinuxPath).Trim(), out var id)
            ? id
            : new Guid(SHA256.HashData(Encoding.UTF8.GetBytes($"{Environment.MachineName} {Environment.ProcessId} {Environment.TickCount64}")).AsSpan(0, 16));
}
