namespace Weir.Storage.Files.Platform;

/// <summary>The one place that asks which operating system this is.</summary>
internal static class PlatformFiles
{
    /// <summary>The implementation for this machine.</summary>
    public static IPlatformFiles Current { get; } = Choose();

    private static IPlatformFiles Choose()
    {
        if (OperatingSystem.IsLinux())
        {
            return new LinuxPlatform();
        }

        if (OperatingSystem.IsMacOS())
        {
            return new MacPlatform();
        }

        return OperatingSystem.IsWindows()
            ? new WindowsPlatform()
            : throw new PlatformNotSupportedException("Durable files need Linux, macOS or Windows.");
    }
}
