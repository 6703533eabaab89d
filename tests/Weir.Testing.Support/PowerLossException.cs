namespace Weir.Testing.Support;

/// <summary>
/// The simulated machine is off. Not an <see cref="IOException"/>, so that no error handling of the broker runs on it.
/// </summary>
public sealed class PowerLossException(string message) : Exception(message);
