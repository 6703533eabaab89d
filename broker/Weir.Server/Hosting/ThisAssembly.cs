using System.Reflection;

namespace Weir.Server.Hosting;

/// <summary>What this build says of itself.</summary>
internal static class ThisAssembly
{
    /// <summary>The version without the source revision behind it.</summary>
    public static string Version { get; } =
        typeof(ThisAssembly).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion
            .Split('+')[0] ?? "0.0.0";
}
